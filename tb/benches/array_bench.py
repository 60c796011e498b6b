"""Driver, monitors and scoreboard of the top block; runs inside the simulator."""

import json
import os
from collections import deque
from dataclasses import asdict, dataclass, field

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from golden.array import frames
from golden.array.controller import Answer, GoldenController, Words
from golden.array.frames import OVERHEAD, TRAILER, Cause
from golden.config import ArrayConfig

CONFIG, COMMANDS = "SPINTRIT_TB_CONFIG", "SPINTRIT_TB_COMMANDS"
PERIOD_NS = 10
_LONGEST_PAUSE = 4000  # cycles without a handshake; no AGE here has as many columns
_NEXT_HEADER = 9  # after N steps


def variables(config: ArrayConfig, commands: int) -> dict[str, str]:
    """Environment variables for the tests in ``tb.benches.array_tb``."""
    return {CONFIG: json.dumps(asdict(config)), COMMANDS: str(commands)}


def config_from_environment() -> ArrayConfig:
    """The configuration of the simulated array."""
    return ArrayConfig(**json.loads(os.environ[CONFIG]))


class Stalls:
    """Whether to pause this cycle: never, or in bursts of random density."""

    def __init__(self, rng: np.random.Generator, enabled: bool):
        self._rng, self._enabled = rng, enabled
        self._ahead: list[bool] = []

    def __call__(self) -> bool:
        if not self._enabled:
            return False
        if not self._ahead:
            share = self._rng.choice([0.0, 0.2, 0.5, 0.95])
            self._ahead = (self._rng.random(24) < share).tolist()
        return self._ahead.pop()


@dataclass
class _Received:
    """A frame on the input: its words, the cycle that offered its header and the one that took
    it."""

    offered: int
    start: int
    words: Words = field(default_factory=list)


class Scoreboard:
    """Compares the answers with the model's in order, and counts them."""

    def __init__(self, model: GoldenController, *, timed: bool):
        self.model, self.timed = model, timed
        self.causes: list[Cause] = []
        self._due: deque[tuple[_Received, Answer]] = deque()
        self._free = 0  # cycle from which the next header may be taken

    def sent(self, frame: _Received) -> None:
        """A whole frame has gone in."""
        answer = self.model.answer(frame.words)
        self._due.append((frame, answer))
        if self.timed:
            earliest = max(frame.offered, self._free)
            assert not self._free or frame.start == earliest, (
                f"{self._where(answer)}: header taken in cycle {frame.start}, not {earliest}"
            )
            self._free = 0
            if answer.cycles is not None:
                self._free = frame.start + answer.cycles - OVERHEAD + _NEXT_HEADER

    def answered(self, words: Words, cause: int, cycle: int) -> None:
        """A whole answer has come out, its trailer in ``cycle``."""
        assert self._due, f"an answer to no frame: {[hex(word) for word in words]}"
        frame, answer = self._due.popleft()
        where = self._where(answer)
        for i, (expected, got) in enumerate(zip(answer.words, words, strict=False)):
            what = "trailer" if i == len(answer.words) - 1 else f"word {i}"
            assert got == expected, f"{where}: {what}: expected {expected:#x}, got {got:#x}"
        assert len(words) == len(answer.words), (
            f"{where}: expected {len(answer.words)} words, got {len(words)}"
        )
        if self.timed:  # otherwise a later frame's may be there before this trailer is taken
            assert cause == answer.cause, f"{where}: expected cause {answer.cause!r}, got {cause}"
        if self.timed and answer.cycles is not None:
            spent = cycle - frame.start + 1
            assert spent == answer.cycles, f"{where}: expected {answer.cycles} cycles, got {spent}"
        self.causes.append(Cause(frames.field(TRAILER, "cause", words[-1])))

    def finish(self, *, expected: int) -> None:
        """``expected`` answers have come, and no frame is left without one."""
        assert not self._due, f"no answer to {self._where(self._due[0][1])}"
        count = len(self.causes)
        assert count == expected, f"{count} answers, expected {expected}"

    def _where(self, answer: Answer) -> str:
        return f"{self.model.config}: frame {len(self.causes)} ({answer.what})"


class ArrayBench:
    """The top block between a driver and a sink, watched by a monitor.

    Parameters
    ----------
    dut : handle of ``synth.generate.FlatArray``
    config : ArrayConfig
    stalled : bool
        Pause on both sides at random; otherwise never, and check the cycle counts.
    stream : int
        Number of the random stream that is drawn from the simulation's seed.
    """

    def __init__(self, dut, config: ArrayConfig, *, stalled: bool = False, stream: int = 0):
        self.dut, self.config, self.stalled = dut, config, stalled
        self.rng = np.random.default_rng([cocotb.RANDOM_SEED, stream])
        self.cycle = 0
        self._words: deque[tuple[int, bool]] = deque()
        self._forget()

    def _forget(self) -> None:
        self.scoreboard = Scoreboard(GoldenController(self.config), timed=not self.stalled)
        self._words.clear()
        self._offered: int | None = None  # cycle in which the word on offer was first seen
        self._frame: _Received | None = None
        self._answer: Words = []
        self._held: tuple[int, bool] | None = None
        self._busy = self.cycle  # cycle of the last handshake

    async def start(self) -> None:
        """Clock, driver, sink and monitor, then a reset."""
        Clock(self.dut.clk, PERIOD_NS, unit="ns").start()
        for task in (self._drive(), self._sink(), self._monitor()):
            cocotb.start_soon(task)
        await self.reset()

    async def reset(self, cycles: int = 1, *, idle: bool = False) -> None:
        """Reset at any time; model and scoreboard restart. If the array is ``idle``, the model
        keeps its cells and table."""
        model = self.scoreboard.model
        self.dut.rst.value = 1
        self._words.clear()
        for _ in range(cycles + 1):
            await RisingEdge(self.dut.clk)
        self._forget()
        if idle:
            model.reset()
            self.scoreboard.model = model
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)
        assert not self.dut.o_valid.value, "o_valid after reset"
        assert not self.dut.cause.value.to_unsigned(), "a cause after reset"

    def send(self, frame: Words) -> None:
        """Queue a frame."""
        last = len(frame) - 1
        self._words.extend((word, i == last) for i, word in enumerate(frame))

    async def wait(self, cycles: int) -> None:
        """Let ``cycles`` pass."""
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)

    async def run(self, sent: list[Words]) -> list[Cause]:
        """Send frames back to back; returns the cause in each trailer."""
        done = len(self.scoreboard.causes)
        for frame in sent:
            self.send(frame)
        while len(self.scoreboard.causes) < done + len(sent):
            await RisingEdge(self.dut.clk)
            assert self.cycle - self._busy < _LONGEST_PAUSE, (
                f"{self.config}: nothing moves; "
                f"{len(self.scoreboard.causes) - done} of {len(sent)} frames answered"
            )
        return self.scoreboard.causes[done:]

    async def finish(self, *, expected: int) -> None:
        """Check that no answer is missing and none is left over."""
        await self.wait(20)
        assert not self._words, f"{len(self._words)} words were not taken"
        assert self._frame is None, "a frame went in without an end"
        assert not self._answer, f"{len(self._answer)} words came out without a trailer"
        assert self._held is None, "a word was not taken"
        self.scoreboard.finish(expected=expected)

    async def _drive(self) -> None:
        dut, stall = self.dut, Stalls(self.rng.spawn(1)[0], self.stalled)
        edge = RisingEdge(dut.clk)
        noise = np.random.default_rng(cocotb.RANDOM_SEED)
        dut.i_valid.value = 0
        while True:
            if stall() or not self._words:
                dut.i_valid.value = 0
                dut.i_last.value = int(noise.integers(2))  # means nothing without valid
                await edge
                continue
            word, last = self._words.popleft()
            dut.i_valid.value, dut.i_data.value, dut.i_last.value = 1, word, int(last)
            await edge
            while not dut.i_ready.value and not dut.rst.value:
                await edge

    async def _sink(self) -> None:
        dut, stall = self.dut, Stalls(self.rng.spawn(1)[0], self.stalled)
        edge = RisingEdge(dut.clk)
        while True:
            dut.o_ready.value = int(not stall())
            await edge
            # Whoever waits for ready before valid is found out.
            while self.stalled and not dut.o_valid.value and stall():
                dut.o_ready.value = 0
                await edge

    async def _monitor(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        while True:
            await edge
            self.cycle += 1
            if dut.rst.value:
                continue
            if dut.i_valid.value:
                if self._offered is None:
                    self._offered = self.cycle
                if dut.i_ready.value:
                    self._take(dut.i_data.value.to_unsigned(), bool(dut.i_last.value))
                    self._offered, self._busy = None, self.cycle
            if dut.o_valid.value:
                word = dut.o_data.value.to_unsigned(), bool(dut.o_last.value)
                assert self._held in (None, word), f"held back, {self._held} became {word}"
                self._held = word
                if dut.o_ready.value:
                    self._deliver(*word, dut.cause.value.to_unsigned())
                    self._held, self._busy = None, self.cycle
            else:
                assert self._held is None, f"{self._held} was withdrawn"

    def _take(self, word: int, last: bool) -> None:
        if self._frame is None:
            assert self._offered is not None
            self._frame = _Received(self._offered, self.cycle)
        self._frame.words.append(word)
        if last:
            self.scoreboard.sent(self._frame)
            self._frame = None

    def _deliver(self, word: int, last: bool, cause: int) -> None:
        self._answer.append(word)
        if last:
            self.scoreboard.answered(self._answer, cause, self.cycle)
            self._answer = []
