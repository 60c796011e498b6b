"""Sources of data sets."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """Source of a data set.

    Parameters
    ----------
    files : dict of str to str
        MD5 by file name.
    mirrors : tuple of str
        URLs of the files without their names, in the order of attempts.
    folders : tuple of str
        Common names of folders with the files.
    system : Path
        Folder of the system's package with the files.
    package : str
        Command that installs this package.
    sizes : dict of str to int
        Bytes by file name, as far as they are known.
    """

    files: dict[str, str]
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]
    system: Path | None = None
    package: str = ""
    sizes: dict[str, int] = field(default_factory=dict)

    def advice(self, folder: Path, *, system: bool = True) -> str:
        """A line of advice for a failed download; ``system``: the system's folder is searched."""
        package = f"{self.package}, or " if self.package and system else ""
        return f"{package}put {', '.join(self.files)} from {self.mirrors[0]} into {folder}"


# MD5 and bytes of the published, packed files. The MD5 of MNIST, Fashion-MNIST and SVHN are from
# torchvision, that of CIFAR-10 is from its page. CIFAR-10 is the binary version, which needs no
# unpickling.
SOURCES = {
    "mnist": Source(
        {
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        ("mnist", "MNIST/raw", "MNIST"),
        sizes={
            "train-images-idx3-ubyte.gz": 9_912_422,
            "train-labels-idx1-ubyte.gz": 28_881,
            "t10k-images-idx3-ubyte.gz": 1_648_877,
            "t10k-labels-idx1-ubyte.gz": 4_542,
        },
    ),
    "fashion-mnist": Source(
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        ("fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
        Path("/usr/share/datasets/fashion-mnist"),
        "apt install dataset-fashion-mnist",
        sizes={
            "train-images-idx3-ubyte.gz": 26_421_880,
            "train-labels-idx1-ubyte.gz": 29_515,
            "t10k-images-idx3-ubyte.gz": 4_422_102,
            "t10k-labels-idx1-ubyte.gz": 5_148,
        },
    ),
    "cifar10": Source(
        {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
        ("https://www.cs.toronto.edu/~kriz/",),
        ("cifar10", "cifar-10", "CIFAR10"),
        sizes={
            "cifar-10-binary.tar.gz": 170_052_171,
        },
    ),
    "svhn": Source(
        {
            "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
            "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
        },
        ("http://ufldl.stanford.edu/housenumbers/",),
        ("svhn", "SVHN"),
        sizes={
            "train_32x32.mat": 182_040_794,
            "test_32x32.mat": 64_275_384,
        },
    ),
}
