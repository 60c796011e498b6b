"""The driver, against an accelerator that takes its packets apart by hand."""

from dataclasses import replace

import numpy as np
import pytest
from accel_server import Server

from golden.accel.compiler import Plan, Settings, sized
from golden.accel.config import AcceleratorConfig
from golden.accel.driver import AcceleratorDriver, constants, discover
from golden.accel.interface import ProgramError, Space
from golden.accel.network import ChipNetwork
from golden.accel.program import Code, Instruction, assemble
from golden.accel.twin import GoldenAccelerator
from golden.config import ArrayConfig
from golden.network import notation
from golden.network.notation import Block
from golden.pulse.table import tanh_table
from golden.registers import PARAMETERS, Fault, by_name

CONFIG = AcceleratorConfig(
    array=ArrayConfig(rows=4, cols=6), tiles=2, activation_words=7, error_words=5, positions=6,
    threshold_words=3, program_words=64,
)  # fmt: skip
BINARY = AcceleratorConfig(
    array=ArrayConfig(rows=12, cols=6, synapse="binary", draw_bits=32, code_bits=4, counters=False),
    tiles=4, activation_words=9, positions=3,
)  # fmt: skip
WIDE = AcceleratorConfig(array=ArrayConfig(rows=40, cols=6, draw_bits=8, variant_bits=2), tiles=1)
each_config = pytest.mark.parametrize("config", [CONFIG, BINARY, WIDE], ids=["4x2", "12x4", "40"])
SPACES = [space for space in Space if space not in (Space.RESULTS, Space.GENERATORS)]


def pair(config=CONFIG):
    """A golden accelerator used directly, and a driver of another one; its server."""
    server = Server(GoldenAccelerator(config))
    return GoldenAccelerator(config), AcceleratorDriver(config, server), server


def random_values(rng, config, space):
    """Values for all words of a space."""
    words, shape, low, high = GoldenAccelerator(config).layout(space)
    values = rng.integers(low, high + 1, (words, *shape))
    if space is Space.THRESHOLDS:
        values[..., 2] &= 1
        values[..., 3] >>= 8
    return values


@each_config
def test_memories_there_and_back(config):
    direct, driver, _ = pair(config)
    rng = np.random.default_rng(1)
    for space in SPACES:
        values = random_values(rng, config, space)
        first = int(rng.integers(len(values)))
        for block in (direct, driver):
            block.write(space, values)
            block.write(space, values[: len(values) - first], first)
        for span in ((0, None), (first, 1), (len(values) - 1, None)):
            expected, found = (block.read(space, *span) for block in (direct, driver))
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected, space.name)
    for block in (direct, driver):
        block.seed(9, 4)
    np.testing.assert_array_equal(driver.generators(), direct.generators())
    states = rng.integers(1, 1 << 64, config.tiles, np.uint64)
    driver.set_generators(states)
    np.testing.assert_array_equal(driver.generators(), states)


@each_config
def test_tiles_do_what_arrays_do(config):
    direct, driver, _ = pair(config)
    array, rng = config.array, np.random.default_rng(2)
    for number in range(config.tiles):
        told = []
        bits = rng.integers(0, 2, (array.cols, array.rows, array.cells))
        u = rng.integers(-1, 2, (3, array.rows))
        d = rng.integers(-128, 128, (2, 3))
        sign = rng.choice([-1, 1], (4, array.rows))
        kappa = sign * rng.integers(0, array.max_kappa + 1, sign.shape)
        code = sign * rng.integers(0, array.codes, sign.shape)
        for block in (direct, driver):
            tile = block.tile(number)
            tile.load_table(tanh_table(array))
            tile.seed(3, number * 100)
            if array.variant_bits:
                tile.load_variants(np.arange(2 * 80).reshape(2, 40, 2) % 4, 3)
            tile.program(bits)
            tile.program(bits[:2], 3)
            ageing = np.full((1, 2), 1 << array.draw_bits - 1)
            told.append([
                tile.read(), tile.read(1, 2), tile.forward(u), tile.forward(u, 2, 3),
                tile.backward(d, 1), tile.update(kappa, code, 2), tile.read(),
                tile.update(kappa[:1], code[:1], 0, blind=True), tile.age(ageing[0], 1, 4),
                tile.read(), tile.generators(), tile.counters.switched, tile.counters.cycles,
                tile.activity() if array.counters else None,
            ])  # fmt: skip
        for expected, found in zip(*told, strict=True):
            np.testing.assert_equal(found, expected)
        assert told[0][5] > 0
    assert driver.tile(0) is driver.tile(0)
    with pytest.raises(ValueError, match=rf"^number must be in 0 to {config.tiles - 1}, not -1$"):
        driver.tile(-1)


def test_training_through_the_driver_is_training():
    blocks = [*notation.parse("5C3p1-MP2-6FC"), Block(3)]
    config = sized(blocks, (5, 4, 2), ArrayConfig(rows=4), 2, 4)
    plan = Plan(blocks, (5, 4, 2), config, 4, Settings(dead_zone=0.5))
    direct, driver, server = pair(config)
    nets = [ChipNetwork(block, plan, tanh_table(config.array), 1) for block in (direct, driver)]
    rng = np.random.default_rng(3)
    for net in nets:
        net.initialise(np.random.default_rng(1), 0.5)
    for size in (4, 4, 3):
        u, labels = rng.integers(-1, 2, (size, 5, 4, 2)), rng.integers(0, 3, size)
        steps = [net.train_step(u, labels, 0.3) for net in nets]
        np.testing.assert_equal(*[tuple(step) for step in steps])
        np.testing.assert_array_equal(*[net.predict(u) for net in nets])
        assert direct.counts() == driver.counts()
    state, other = (net.state() for net in nets)
    assert set(state) == set(other)
    for name, part in state.items():
        np.testing.assert_array_equal(part, other[name], name)
    assert nets[0].bank.cycles() == nets[1].bank.cycles()
    np.testing.assert_array_equal(direct.read(Space.RESULTS), driver.read(Space.RESULTS))
    assert not server.answers


def test_counts_begin_with_the_driver():
    """Earlier counts of the accelerator are not the driver's; an earlier fault is cleared."""
    chip = GoldenAccelerator(CONFIG)
    chip.run(0, 1)
    server = Server(chip)
    server.fault, server.what = Fault.SHORT, 77
    driver = AcceleratorDriver(CONFIG, server)
    assert driver.status() == (Fault.NONE, 0)
    assert driver.counts().cycles == 0
    driver.run(0, 1)
    assert driver.counts().cycles == 24


def test_counters_are_64_bits_read_low_word_first():
    _, driver, server = pair()
    server.chip._counts.loss = 0x123456789A
    server.chip._counts.pulses = 0xFFFFFFFF
    counts = driver.counts()
    assert (counts.loss, counts.pulses, counts.switched) == (0x123456789A, 0xFFFFFFFF, 0)


def test_a_run_is_pc_batch_and_start():
    _, driver, server = pair()
    server.log.clear()
    driver.run(5, 3)
    assert server.log == [(0x30, 5), (0x34, 3), (0x20, 1 | 4)]  # start, clear


def test_only_what_a_program_answers_may_take_as_long_as_one():
    class Counting(Server):
        waits = 0

        def receive_results(self):
            self.waits += 1
            return super().receive_results()

    server = Counting(GoldenAccelerator(CONFIG))
    driver = AcceleratorDriver(CONFIG, server)
    driver.read(Space.LABELS)
    driver.tile(0).generators()
    driver.counts()
    assert not server.waits
    driver.run(0, 1)
    assert server.waits == 1


def test_what_another_host_left_is_stopped_and_passed_over():
    """A running program, whose answer is due, and results that nobody took."""

    class Left(Server):
        busy, log_of_receive = True, 0

        def read_register(self, address):
            return super().read_register(address) | (address == 0x24 and self.busy)

        def write_register(self, address, value):
            if address == 0x20 and value & 2:
                self.busy, self.stopped = False, True
                return
            super().write_register(address, value)

        def receive(self):
            self.log_of_receive += 1
            if self.log_of_receive < 3:  # STOPPED, and then an older one's
                return np.array([4 | 9 << 16] if self.log_of_receive == 1 else [4, 7], np.uint32)
            return super().receive()

    server = Left(GoldenAccelerator(CONFIG))
    driver = AcceleratorDriver(CONFIG, server)
    assert server.stopped
    assert (driver.read(Space.LABELS) == 0).all()


def test_another_operations_answer_is_an_error():
    _, driver, server = pair()
    server.receive = lambda: np.array([1], np.uint32)
    with pytest.raises(RuntimeError, match=r"^the accelerator answers operation 1, not READ$"):
        driver.read(Space.LABELS)


def test_long_writes_go_in_parts():
    config = replace(CONFIG, activation_words=40_000, array=replace(CONFIG.array, rows=68))
    golden, driver, server = pair(config)
    sent = []
    take = server.send
    server.send = lambda words: (sent.append(len(words)), take(words))
    values = np.random.default_rng(0).integers(-1, 2, (30_000, 68))
    for block in (golden, driver):
        block.write(Space.ACTIVATIONS, values, 5)
    assert len(sent) > 1
    assert max(sent) <= 0xFFFF
    np.testing.assert_array_equal(
        golden.read(Space.ACTIVATIONS, 20_000, 9), driver.read(Space.ACTIVATIONS, 20_000, 9)
    )


# --- faults ---


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (1, "unknown packet"),
        (2, "address beyond its memory"),
        (3, "packet ends too early"),
        (4, "packet is too long"),
        (5, "packet or start while a program runs"),
    ],
)
def test_refused_packets(fault, text):
    direct, driver, server = pair()
    server.refuse = fault
    with pytest.raises(RuntimeError, match=rf"^the accelerator refused 0x0401: {text}$"):
        driver.write(Space.LABELS, [1, 2, 3])
    server.refuse = fault
    with pytest.raises(RuntimeError, match=rf"^the accelerator refused 0x0602: {text}$"):
        driver.read(Space.STATES)
    server.refuse = fault
    with pytest.raises(RuntimeError, match=rf"^tile 1: {text}$"):
        driver.tile(1).read()
    # Nothing of it stays.
    assert driver.status() == (Fault.NONE, 0)
    driver.write(Space.LABELS, [1, 2, 3])
    assert driver.read(Space.LABELS).tolist() == [1, 2, 3, 0, 0, 0]
    np.testing.assert_array_equal(driver.tile(1).read(), direct.tile(1).read())


def test_a_frame_that_an_array_refuses_leaves_no_fault():
    """The accelerator notes it, too, but the array's own error has said it all."""
    _, driver, server = pair()
    # A PROGRAM of one column without its data, of another host; SHORT stays in the array.
    server.send(np.array([3 | 1 << 8, 1, 1, 0], np.uint32))
    assert server.receive().tolist() == [3 | 1 << 8, 3 | 1 << 8, 0]
    assert driver.status() == (Fault.FRAME, 0x103)
    with pytest.raises(RuntimeError, match=r"^the array answered with error SHORT and 0 results"):
        driver.tile(1).program(np.zeros((1, 4, 2), int))
    driver.write(Space.LABELS, [1])
    assert driver.status() == (Fault.NONE, 0)


def test_programs_that_fail_say_where():
    direct, driver, _ = pair()
    program = [Instruction(code=Code.FORWARD, positions=2), Instruction(code=9)]
    for block in (direct, driver):
        block.write(Space.PROGRAM, assemble(program)[:62], 1)
    with pytest.raises(
        ProgramError, match=r"^program word 22: unknown instruction, or one of"
    ) as e:
        driver.run(1, 2)
    with pytest.raises(ProgramError) as expected:
        direct.run(1, 2)
    assert e.value.pc == expected.value.pc == 22
    assert driver.status() == (Fault.NONE, 0)  # cleared
    assert driver.run(43, 2).shape == (2, 2)


def test_a_stopped_program_is_an_error():
    _, driver, server = pair()
    server._run = lambda _: (server.note(Fault(9), 21), server.answers.append([4 | 9 << 16]))
    with pytest.raises(ProgramError, match=r"^program word 21: a program was stopped$"):
        driver.run(0, 1)


@pytest.mark.parametrize(
    ("call", "answer", "message"),
    [
        (lambda d: d.read(Space.LABELS), [2], r"^the accelerator answered with 1 words$"),
        (lambda d: d.read(Space.LABELS, 0, 1), [2, 3, 4], r"^the accelerator answered with 3 wo"),
        (lambda d: d.tile(0).read(0, 1), [3], r"^tile 0 answered with 1 words$"),
        (lambda d: d.tile(0).read(0, 1), [3, *[0] * 6], r"^tile 0 answered with 7 words$"),
        (lambda d: d.tile(0).read(0, 1), [3, 0, 0, 0], r"^tile 0 answered with 4 words$"),
        (lambda d: d.tile(0).read(0, 1), [3, 0, 0], r"^the array answered with error NONE and 0"),
        (lambda d: d.tile(0).program(np.zeros((1, 4, 2), int)), [3, 0x104, 0],
         r"^the array answered with error LONG and 0 results, not 0$"),
    ],
)  # fmt: skip
def test_answers_that_cannot_be(call, answer, message):
    _, driver, server = pair()
    server.send = lambda words: server.answers.append(answer)
    with pytest.raises(RuntimeError, match=message):
        call(driver)


def test_no_answer_is_an_error():
    _, driver, server = pair()
    server.silent = True
    for call in (lambda: driver.read(Space.STATES), lambda: driver.tile(0).read(),
                 lambda: driver.run(0, 1)):  # fmt: skip
        with pytest.raises(RuntimeError, match=r"^no answer$"):
            call()


# --- which accelerator it is ---


@each_config
def test_constants_are_the_registers(config):
    """Every field of every constant register, and what a driver of another finds wrong."""
    server = Server(GoldenAccelerator(config))
    found = constants(config)
    registers = by_name()
    assert set(found) == {f"{n}.{f.name}" for n in PARAMETERS for f in registers[n].fields}
    for name, value in found.items():
        register, field = name.split(".")
        (place,) = (f for f in registers[register].fields if f.name == field)
        assert (
            server.read_register(registers[register].address) & place.mask
        ) >> place.low == value
        address = registers[register].address
        server.constants[address] ^= 1 << place.low
        message = rf"^{register}\.{field} must be {value}, not {value ^ 1}$"
        with pytest.raises(ValueError, match=message):
            AcceleratorDriver(config, server)
        server.constants[address] ^= 1 << place.low
    AcceleratorDriver(config, server)


@each_config
def test_discovery(config):
    assert discover(Server(GoldenAccelerator(config))) == config


@pytest.mark.parametrize(
    ("address", "value", "message"),
    [
        (0x00, 0, r"^ID must be 0x53505254, not 0x00000000$"),
        (0x04, 0x20000, r"^VERSION must be 0x00010000, not 0x00020000$"),
    ],
)
def test_discovery_of_something_else(address, value, message):
    server = Server(GoldenAccelerator(CONFIG))
    server.constants[address] = value
    with pytest.raises(ValueError, match=message):
        discover(server)


def test_config_must_be_one():
    with pytest.raises(TypeError, match=r"^config must be an AcceleratorConfig, not None$"):
        AcceleratorDriver(None, Server(GoldenAccelerator(CONFIG)))
