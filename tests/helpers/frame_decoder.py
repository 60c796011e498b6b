"""An array of plain integers behind command frames, written by hand from docs/hardware.md.

It decodes frames, keeps the state and encodes answers. Nothing comes from ``golden``: every number
and every bit position is written here a second time, so that two equal mistakes do not hide each
other. It is slow.
"""

STATUS, PROGRAM, READ, FORWARD, BACKWARD, UPDATE = range(6)
LOAD_TABLE, SEED, GENERATORS, VARIANTS, AGE, COUNTERS = range(6, 12)
NONE, OPCODE, RANGE, SHORT, LONG, TRIT, VALUE = range(7)
NO_DATA = {STATUS, READ, GENERATORS, AGE, COUNTERS}
NO_RANGE = {STATUS, SEED, GENERATORS, COUNTERS}
COUNTED = [
    "forward_conversions", "forward_drives", "forward_products", "forward_p", "forward_ap",
    "backward_conversions", "backward_drives", "backward_products", "backward_p", "backward_ap",
    "pulses_p_idle", "pulses_p_failed", "pulses_p_switched",
    "pulses_ap_idle", "pulses_ap_failed", "pulses_ap_switched",
    "ticks_p_idle", "ticks_p_failed", "ticks_p_switched",
    "ticks_ap_idle", "ticks_ap_failed", "ticks_ap_switched",
    "programmed", "read", "updated", "aged", "cells_aged",
]  # fmt: skip


def slices(word, *widths):
    """Fields of an integer, the lowest first."""
    found = []
    for width in widths:
        found.append(word % 2**width)
        word //= 2**width
    return found


def joined(values, width):
    """An integer of fields of one width, two's complement, the first lowest."""
    return sum(value % 2**width * 2 ** (width * i) for i, value in enumerate(values))


def signed(value, width):
    return value - 2**width if value >= 2 ** (width - 1) else value


def header(op, first=0, count=0, blind=0):
    return op + 16 * blind + 65536 * first + 2**32 * count


def trailer_fields(word):
    """Cause, command and switched cells of a trailer; all other bits are 0."""
    cause, zero, op, zeros, switched, rest = slices(word, 3, 5, 4, 4, 32, 80)
    assert (zero, zeros, rest) == (0, 0, 0)
    return {"cause": cause, "op": op, "switched": switched}


class PlainArray:
    """``power_up``: the generators' states after a reset, by row and cell."""

    def __init__(
        self, rows, cols, cells, unit, code_bits, draw_bits, error_bits, variant_bits, counters,
        power_up,
    ):  # fmt: skip
        self.rows, self.cols, self.per, self.unit = rows, cols, cells, unit
        self.code_bits, self.draw_bits, self.error_bits = code_bits, draw_bits, error_bits
        self.variant_bits, self.counting, self.power_up = variant_bits, counters, power_up
        self.codes, self.kinds = 2**code_bits, 2**variant_bits
        every = range(cols), range(rows), range(cells)
        self.cells = [[[0 for _ in every[2]] for _ in every[1]] for _ in every[0]]
        self.variants = [[[0 for _ in every[2]] for _ in every[1]] for _ in every[0]]
        self.table = [([0, 0], [0, 0]) for _ in range(self.kinds * (self.codes + 2))]
        self.states = list(power_up)
        self.counts = dict.fromkeys(COUNTED, 0)
        self.sticky = NONE
        self.pulse_bits = code_bits + 3
        self.row_bits = 2 * (draw_bits + 1) + 32
        self.sum_bits = len(f"{rows:b}") + 1
        self.back_bits = len(f"{cols * 2 ** (error_bits - 1):b}") + 1
        column = rows * cells * max(1, variant_bits)
        data = [rows * 2, rows * self.pulse_bits, unit * error_bits, column, self.row_bits]
        self.data_bits = max(64, *data)
        results = [unit * self.sum_bits, rows * self.back_bits, rows * cells]
        self.result_bits = max(64, *results)

    def answer(self, frame):
        """Answer to a frame: words, fault of this frame, cycles or None."""
        head, *data = frame
        op, blind, low, first, count, high = slices(head, 4, 1, 11, 16, 16, 16)
        self.switched, self.faults = 0, []
        results = []
        unknown = op > 11 or (op == VARIANTS and not self.variant_bits)
        unknown |= op == COUNTERS and not self.counting
        if unknown or low or high or (blind and self.per == 1):
            self.faults.append(OPCODE)
        elif op not in NO_RANGE and not self._fits(op, first, count):
            self.faults.append(RANGE)
        elif op in NO_DATA and data:
            self.faults.append(LONG)
        elif op not in NO_DATA and not data:
            self.faults.append(SHORT)
        else:
            results = self._do(op, first, count, blind, data)
        fault = self.faults[0] if self.faults else NONE
        reported = self.sticky if self.sticky else fault
        self.sticky = NONE if op == STATUS and not fault else reported
        results.append(reported + 256 * op + 65536 * self.switched)
        cycles = None if fault else self._steps(op, count, len(data)) + 19
        return results, fault, cycles

    def _fits(self, op, first, count):
        if op == LOAD_TABLE:
            return 0 < count <= len(self.table) - first
        if op in (FORWARD, BACKWARD) and (first % self.unit or count % self.unit):
            return False
        return 0 < count <= self.cols - first

    def _steps(self, op, count, words):
        special = {STATUS: 0, SEED: 64, GENERATORS: 64, COUNTERS: 27, BACKWARD: words}
        if op == FORWARD:
            return words * (count // self.unit)
        return special.get(op, count)

    def _do(self, op, first, count, blind, data):
        columns = range(first, first + count)
        if op in (PROGRAM, UPDATE, LOAD_TABLE, VARIANTS, SEED):
            due = 64 if op == SEED else count
            late = [SHORT] * (len(data) < due) + [LONG] * (len(data) > due)
            work = {
                PROGRAM: self._program, UPDATE: self._update, LOAD_TABLE: self._load,
                VARIANTS: self._vary, SEED: self._seed,
            }[op]  # fmt: skip
            work(first, data[:due], blind)
            self.faults += late
            return []
        if op == READ:
            self.counts["read"] += count
            flat = [[self.cells[i][j][c] for c in range(self.per) for j in range(self.rows)]
                    for i in columns]  # fmt: skip
            return [joined(bits, 1) for bits in flat]
        if op == FORWARD:
            return self._forward(columns, data)
        if op == BACKWARD:
            return self._backward(columns, data)
        if op == GENERATORS:
            return [self._observe() for _ in range(64)]
        if op == AGE:
            self._age(columns)
        return [self.counts[name] % 2**64 for name in COUNTED] if op == COUNTERS else []

    def weight(self, i, j):
        cell = self.cells[i][j]
        return cell[0] - cell[1] if self.per == 2 else 2 * cell[0] - 1

    def stuck(self, i, j, c):
        return self.variant_bits and self.variants[i][j][c] == self.kinds - 1

    def _planes(self, word, count):
        """Planes of a bit a row, by row."""
        planes = [slices(part, *[1] * self.rows) for part in slices(word, *[self.rows] * count)]
        return [[plane[j] for plane in planes] for j in range(self.rows)]

    def _program(self, first, data, _):
        self.counts["programmed"] += len(data)
        for i, word in enumerate(data, first):
            for j, bits in enumerate(self._planes(word, self.per)):
                for c, bit in enumerate(bits):
                    if not self.stuck(i, j, c):
                        self.cells[i][j][c] = bit

    def _vary(self, first, data, _):
        for i, word in enumerate(data, first):
            for j, bits in enumerate(self._planes(word, self.variant_bits * self.per)):
                for c in range(self.per):
                    self.variants[i][j][c] = joined(bits[c :: self.per], 1)

    def _forward(self, columns, data):
        results = []
        for word in data:
            trits = []
            for nonzero, negative in self._planes(word, 2):
                if negative and not nonzero and TRIT not in self.faults:
                    self.faults.append(TRIT)
                trits.append((-1 if negative else 1) if nonzero else 0)
            sums = [sum(self.weight(i, j) * trits[j] for j in range(self.rows)) for i in columns]
            groups = [sums[k : k + self.unit] for k in range(0, len(sums), self.unit)]
            results += [joined(group, self.sum_bits) for group in groups]
            driven = [(i, j) for i in columns for j in range(self.rows) if trits[j]]
            drives = sum(1 for trit in trits if trit)
            self._count_read("forward", len(columns), drives, driven)
        return results

    def _backward(self, columns, data):
        results, errors = [], []
        per_vector = len(columns) // self.unit
        for k, word in enumerate(data):
            errors += [signed(d, self.error_bits)
                       for d in slices(word, *[self.error_bits] * self.unit)]  # fmt: skip
            if (k + 1) % per_vector and k + 1 < len(data):
                continue
            pairs = list(zip(columns, errors, strict=False))
            driven = [(i, j) for i, d in pairs for j in range(self.rows) if d]
            self._count_read("backward", self.rows, sum(1 for d in errors if d), driven)
            if len(errors) == len(columns):
                sums = [sum(self.weight(i, j) * d for i, d in pairs) for j in range(self.rows)]
                results.append(joined(sums, self.back_bits))
            else:
                self.faults.append(SHORT)
            errors = []
        return results

    def _count_read(self, direction, conversions, drives, driven):
        """``driven``: column and row of every synapse that a drive reaches."""
        in_p = sum(sum(self.cells[i][j]) for i, j in driven)
        counts = {
            "conversions": conversions,
            "drives": drives,
            "products": sum(1 for i, j in driven if self.weight(i, j)),
            "p": in_p,
            "ap": len(driven) * self.per - in_p,
        }
        for name, count in counts.items():
            self.counts[f"{direction}_{name}"] += count

    def _onward(self, state):
        for _ in range(self.draw_bits):
            bit = (state + state // 2**9 + state // 2**19 + state // 2**29) % 2
            state = state // 2 + bit * 2**63
        return state

    def _draw(self):
        """A draw of every generator, by row and cell."""
        draws = [state % 2**self.draw_bits for state in self.states]
        self.states = [self._onward(state) for state in self.states]
        return [draws[j * self.per : (j + 1) * self.per] for j in range(self.rows)]

    def _observe(self):
        draws = self._draw()
        return joined([draws[j][c] % 2 for c in range(self.per) for j in range(self.rows)], 1)

    def _seed(self, _first, data, _blind):
        self.states = list(self.power_up)
        for word in data:
            turned = self._planes(word, self.per)
            self._draw()
            flat = [bit for row in turned for bit in row]
            for k, bit in enumerate(flat):
                top = self.states[k] // 2**63
                self.states[k] += ((top ^ bit) - top) * 2**63

    def _load(self, first, data, _):
        k = self.draw_bits + 1
        for index, word in enumerate(data, first):
            row = slices(word, k, k, 16, 16)
            no_pulse = index < self.kinds * self.codes and index % self.codes == 0
            if max(row[:2]) > 2**self.draw_bits or (no_pulse and any(row)):
                if VALUE not in self.faults:
                    self.faults.append(VALUE)
            else:
                self.table[index] = row[:2], row[2:]

    def _age(self, columns):
        self.counts["aged"] += len(columns)
        for i in columns:
            draws = self._draw()
            for j in range(self.rows):
                for c in range(self.per):
                    row = self.kinds * self.codes + 2 * self.variants[i][j][c] + self.cells[i][j][c]
                    if not self.stuck(i, j, c) and draws[j][c] < self.table[row][0][c]:
                        self.cells[i][j][c] ^= 1
                        self.switched += 1
        self.counts["cells_aged"] += self.switched

    def _update(self, first, data, blind):
        self.counts["updated"] += len(data)
        for i, word in enumerate(data, first):
            draws = self._draw()
            pulses = slices(word, *[self.pulse_bits] * self.rows)
            for j, pulse in enumerate(pulses):
                code, kappa, up = slices(pulse, self.code_bits, 2, 1)
                if kappa > self.per:
                    if VALUE not in self.faults:
                        self.faults.append(VALUE)
                    kappa = self.per
                self._pulse(i, j, code, kappa, up, blind, draws[j])

    def _pulse(self, i, j, code, kappa, up, blind, draws):
        """The pulses of one synapse: to P, then to AP."""
        full = self.codes - 1
        step = full if kappa else code
        if self.per == 1:
            self._drive(i, j, 0, 0 if up else 1, step, draws[0])
            return
        to_p, to_ap = (0, 1) if up else (1, 0)
        codes = [step, step]
        state = self.cells[i][j][to_p], self.cells[i][j][to_ap]
        if not blind and state == (1, 0):  # it is at the bound already
            codes = [0, 0]
        elif not blind and state == (0, 1):  # two steps away from it
            codes[1] = [0, code, full][kappa]
        for direction, c in enumerate((to_p, to_ap)):
            self._drive(i, j, c, direction, codes[direction], draws[direction])

    def _drive(self, i, j, c, direction, code, draw):
        """A pulse on a cell to P (direction 0) or to AP (1)."""
        if not code:
            return
        target = 1 - direction
        row = self.variants[i][j][c] * self.codes + code
        if self.cells[i][j][c] == target:
            outcome = "idle"
        elif not self.stuck(i, j, c) and draw < self.table[row][0][direction]:
            outcome = "switched"
            self.cells[i][j][c] = target
            self.switched += 1
        else:
            outcome = "failed"
        name = f"{['p', 'ap'][direction]}_{outcome}"
        self.counts[f"pulses_{name}"] += 1
        self.counts[f"ticks_{name}"] += self.table[code][1][direction]
