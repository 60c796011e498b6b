# amaranth: UnusedElaboratable=no
"""The serial line, bit by bit, and the bridge behind it."""

from collections import deque

import numpy as np
import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from hdl_sim import simulate
from test_hdl_registers import ADDRESSES, CONSTANTS, UNMAPPED

from hdl.bus.registers import RegisterFile
from hdl.bus.uart import FIFO_BYTES, PAUSE_BITS, UartBridge, UartRx, UartTx

DIVISOR = 4


def levels(octets, divisor, *, stop=1, gap=0):
    """The line, cycle by cycle."""
    line = []
    for octet in octets:
        bits = [0, *(octet >> i & 1 for i in range(8)), *[1] * stop]
        line += [bit for bit in bits for _ in range(divisor)] + [1] * gap
    return line


def octets(line, divisor):
    """What a line said, every bit of which has its full length."""
    said, at = bytearray(), 0
    while at < len(line):
        if line[at]:
            at += 1
            continue
        frame = [line[at + i * divisor : at + (i + 1) * divisor] for i in range(10)]
        assert all(set(bit) in ({0}, {1}) for bit in frame), f"cycle {at}: {frame}"
        bits = [bit[0] for bit in frame]
        assert (bits[0], bits[9]) == (0, 1)
        said.append(sum(bit << i for i, bit in enumerate(bits[1:9])))
        at += 10 * divisor
    return bytes(said)


def heard(divisor, line):
    """What the receiver makes of a line."""
    receiver, said = UartRx(divisor), bytearray()

    async def testbench(ctx):
        for level in [*[1] * 4, *line, *[1] * 2 * divisor]:
            ctx.set(receiver.rx, level)
            *_, stb, octet = await ctx.tick().sample(receiver.stb, receiver.data)
            if stb:
                said.append(octet)

    simulate(receiver, testbench)
    return bytes(said)


@pytest.mark.parametrize("divisor", [4, 5, 8, 13])
def test_receiver_takes_every_byte_back_to_back(divisor):
    message = bytes(np.random.default_rng(divisor).permutation(256)[: 240 // divisor].tolist())
    assert heard(divisor, levels(message, divisor)) == message


@pytest.mark.parametrize("off", [-4, 4], ids=["fast", "slow"])
def test_receiver_bears_other_clocks(off):
    """4 % off: 0.38 bits at the stop bit."""
    line = levels(range(0, 256, 17), 100 + off)
    assert heard(25, line[::4]) == bytes(range(0, 256, 17))


def test_receiver_drops_what_has_no_stop_bit():
    divisor = 8
    broken = [*levels(b"\x55", divisor, stop=0), *[0] * divisor]
    sound = levels(b"ok", divisor)
    idle = [1] * 2
    assert heard(divisor, [*broken, *idle, *sound]) == b"ok"
    # A line that is held low says nothing, and what comes once it is high is heard.
    assert heard(divisor, [*[0] * 40 * divisor, *idle, *sound]) == b"ok"
    # A spike is no start bit.
    assert heard(divisor, [*[0] * 3, *idle * 8, *sound]) == b"ok"


@pytest.mark.parametrize("divisor", [4, 7])
def test_sender(divisor):
    sender, line, message = UartTx(divisor), [], bytes([0, 255, 0x55, 0xA6, 1, 128])

    async def testbench(ctx):
        rng, queue = np.random.default_rng(1), deque(message)
        assert ctx.get(sender.tx) == 1
        while queue or len(line) < 80 * divisor:
            valid = bool(queue) and (len(queue) > 3 or rng.random() < 0.1)
            ctx.set(sender.i.valid, valid)
            ctx.set(sender.i.payload, queue[0] if valid else int(rng.integers(256)))
            *_, ready, tx = await ctx.tick().sample(sender.i.ready, sender.tx)
            line.append(tx)
            if valid and ready:
                queue.popleft()

    simulate(sender, testbench)
    assert octets(line, divisor) == message
    # Back to back a byte takes a cycle more than its ten bits.
    assert line.index(0, 8 * divisor + 9) - line.index(0) == 10 * divisor + 1


class Host:
    """The far end of the line, and an accelerator that takes and gives words."""

    def __init__(self, ctx, bridge, file):
        self.ctx, self.bridge, self.file = ctx, bridge, file
        self.line = deque([1] * 4)  # to be sent
        self.tx = []
        self.words = []  # taken from ``i``: (data, last)
        self.give = deque()  # for ``o``: (data, last)
        self.stalled = False
        self.rng = np.random.default_rng(1)

    def say(self, message):
        self.line += levels(message, DIVISOR)

    async def step(self):
        ctx, bridge = self.ctx, self.bridge
        level = self.line.popleft() if self.line else 1
        ready = not self.stalled and self.rng.random() < 0.5
        word, last = self.give[0] if self.give else (0, 0)
        # One assignment a cycle: the simulator settles after each.
        inputs = Cat(bridge.rx, bridge.i.ready, bridge.o.valid, bridge.o.p)
        given = bool(self.give)
        ctx.set(inputs, level | ready << 1 | given << 2 | word << 3 | last << 35)
        *_, tx, valid, word, last, taken = await ctx.tick().sample(
            bridge.tx, bridge.i.valid, bridge.i.p.data, bridge.i.p.last, bridge.o.ready
        )
        self.tx.append(tx)
        if valid and ready:
            self.words.append((word, last))
        if given and taken:
            self.give.popleft()

    async def wait(self, cycles):
        for _ in range(cycles):
            await self.step()

    async def listen(self):
        """What is said until all is said."""
        quiet = 0
        while quiet < 20 * DIVISOR:
            await self.step()
            quiet = quiet + 1 if self.tx[-1] and not self.line and not self.give else 0
        said = octets(self.tx, DIVISOR)
        self.tx.clear()
        return said

    async def hear(self, message):
        assert await self.listen() == message


def run(testbench, **parameters):
    m = Module()
    m.submodules.bridge = bridge = UartBridge(DIVISOR, **parameters)
    m.submodules.file = file = RegisterFile(CONSTANTS)
    wiring.connect(m, bridge.bus, file.bus)

    async def bench(ctx):
        await testbench(Host(ctx, bridge, file))

    simulate(m, bench)


def write(name, value):
    return b"W" + bytes([ADDRESSES[name]]) + value.to_bytes(4, "little")


def read(name):
    return b"R" + bytes([ADDRESSES[name]])


def packet(words):
    octets = b"".join(word.to_bytes(4, "little") for word in words)
    return b"S" + len(words).to_bytes(2, "little") + octets


def test_registers():
    async def testbench(host):
        host.say(read("ID"))
        await host.hear(b"r" + b"TRPS")
        host.say(write("PC", 0x1234) + write("BATCH", 0x5678))
        await host.hear(b"ww")
        assert host.ctx.get(host.file.pc.value) == 0x1234
        host.say(read("BATCH"))
        await host.hear(b"r\x78\x56\0\0")

    run(testbench)


def test_refused_accesses_and_unknown_commands():
    async def testbench(host):
        host.say(write("ID", 1))
        await host.hear(b"e")
        host.say(bytes([ord("R"), UNMAPPED[0]]))
        await host.hear(b"e")
        host.say(b"\0w")
        await host.hear(b"??")
        host.say(read("ID"))
        await host.hear(b"rTRPS")

    run(testbench)


def test_words_in():
    """Packets of any length, in one piece with other commands; none of length 0."""

    async def testbench(host):
        words = [int(w) for w in host.rng.integers(0, 1 << 32, 7)]
        host.say(packet(words[:1]) + packet([]) + packet(words[1:]) + write("PC", 3))
        await host.hear(b"w")
        lasts = [1, *[0] * 5, 1]
        assert host.words == list(zip(words, lasts, strict=True))

    run(testbench)


def test_words_out():
    async def testbench(host):
        host.give += [(0x01020304, 0), (0xFFFEFDFC, 1), (5, 1)]
        await host.hear(b"o\4\3\2\1" + b"l\xfc\xfd\xfe\xff" + b"l\5\0\0\0")

    run(testbench)


def test_answers_go_before_words_but_not_into_them():
    async def testbench(host):
        host.give += [(0, 0)] * 8
        host.say(read("ID"))
        await host.wait(60 * DIVISOR)
        host.say(write("PC", 1))
        words = b"o\0\0\0\0"
        # The word under way when the command is there is the only one before its answer.
        await host.hear(words + b"rTRPS" + words + b"w" + 6 * words)

    run(testbench)


def test_every_command_has_its_answer_while_a_word_is_sent():
    async def testbench(host):
        host.give += [(0, 1)]
        host.say(b"???")
        await host.hear(b"l\0\0\0\0???")

    run(testbench)


def test_writes_back_to_back_lose_nothing():
    """Even while all answers have to wait for words."""

    async def testbench(host):
        host.give += [(0, 0)] * 15
        host.say(read("ID") + b"".join(write("PC", i) for i in range(10)))
        said = await host.listen()
        assert said.count(b"o\0\0\0\0") == 15
        assert said.replace(b"o\0\0\0\0", b"") == b"rTRPS" + b"w" * 10
        assert host.ctx.get(host.file.pc.value) == 9

    run(testbench)


def test_words_wait_for_the_accelerator():
    """As long as the queue holds what comes meanwhile; then bytes are lost, and it recovers."""

    async def testbench(host):
        host.say(packet([1, 2, 3]))
        await host.wait((3 + 4) * 10 * DIVISOR)
        host.stalled = True
        await host.wait(FIFO_BYTES * 10 * DIVISOR)
        host.stalled = False
        await host.hear(b"")
        assert host.words == [(1, 0), (2, 0), (3, 1)]
        host.words.clear()
        host.say(packet(list(range(1, 9))))
        host.stalled = True
        await host.wait(40 * 10 * DIVISOR)
        host.stalled = False
        await host.wait(1 << 11)
        await host.hear(b"?")
        assert host.words[:3] == [(1, 0), (2, 0), (3, 0)]
        assert host.words[-1] == (0, 1)
        assert [last for _, last in host.words[:-1]] == [0] * (len(host.words) - 1)
        host.say(read("ID"))
        await host.hear(b"rTRPS")

    run(testbench, pause_bits=10)


@pytest.mark.parametrize(
    "begun",
    [b"W", b"R", b"S", b"W\x30", b"W\x30\1\2\3", b"S\2", b"S\2\0", b"S\2\0\1\0\0"],
    ids=lambda begun: begun.hex(),
)
def test_a_command_cut_short_is_abandoned(begun):
    async def testbench(host):
        host.say(begun)
        host.line += [1] * 300
        await host.hear(b"?")
        host.say(read("ID") + write("BATCH", 9))
        await host.hear(b"rTRPSw")
        assert host.words == []
        assert host.ctx.get(host.file.pc.value) == 0

    run(testbench, pause_bits=8)


def test_a_packet_cut_short_is_closed():
    async def testbench(host):
        host.say(packet([7, 8, 9])[:-1])
        host.line += [1] * 300
        await host.hear(b"?")
        assert host.words == [(7, 0), (8, 0), (0, 1)]
        host.words.clear()
        host.say(packet([4, 5]))
        await host.hear(b"")
        # A command that is no packet has none to close.
        host.say(write("PC", 1)[:-1])
        host.line += [1] * 300
        await host.hear(b"?")
        assert host.words == [(4, 0), (5, 1)]

    run(testbench, pause_bits=8)


def test_a_pause_that_is_too_short_abandons_nothing():
    async def testbench(host):
        for octet in write("PC", 0x0102):
            host.line += levels([octet], DIVISOR, gap=200)
        await host.hear(b"w")
        assert host.ctx.get(host.file.pc.value) == 0x0102

    run(testbench, pause_bits=8)
    assert PAUSE_BITS == 20


@pytest.mark.parametrize("component", [UartRx, UartTx, UartBridge])
def test_divisor_must_be_long_enough(component):
    with pytest.raises(ValueError, match=r"^divisor must be at least 4, not 3$"):
        component(3)
