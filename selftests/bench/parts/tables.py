"""Tables of bench.json, as reST. What was not measured is a dash."""

WAYS = {
    "plain": "plain start", "fork": "fork", "fork_freeze": "fork, gc.freeze()",
    "memfd": "memfd, no module", "coppice": "Coppice", "ksm": "KSM, plain start", "ksm_memfd": "KSM, memfd",
    "criu": "CRIU",
}
COLUMNS = {
    "at_start": "at the start", "after_events": "10 events", "after_gc": "and gc", "after_gc_reshare": "and reshare",
    "after_unfrozen_gc": "gc of all", "after_unfrozen_gc_reshare": "and reshare",
}


def grid(head, rows):
    rows = [list(map(str, row)) for row in [head, *rows]]
    if len(rows) == 1 or all(cell == "–" for row in rows[1:] for cell in row[1:]):
        return "Not measured in this run.\n"
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
             for row in rows]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule]) + "\n"


def numbers(figures):
    return sorted({int(name.split(".")[2]) for name in figures if name.startswith("memory.")})


def ratio(base, value):
    return f"{base / value:.1f}x" if base and value and value > 0 else "–"


def kib(value):
    return "–" if value is None else f"{value / 1024:,.0f}"


def memory_of(figures, number, what):
    for way, title in WAYS.items():
        row = [figures.get(f"memory.{way}.{number}.{what}_per_task_{column}") for column in COLUMNS]
        if any(value is not None for value in row):
            yield [title, *map(kib, row)]


def memory(figures):
    parts = []
    for number in numbers(figures):
        rows = memory_of(figures, number, "bytes")
        parts.append(f"KiB a task, of {number} (MemAvailable):\n\n" + grid(["", *COLUMNS.values()], rows))
    return "\n".join(parts)


def private(figures):
    number = max(numbers(figures), default=0)
    return f"KiB a task, of {number}:\n\n" + grid(["", *COLUMNS.values()],
                                                  memory_of(figures, number, "private_bytes"))


def start(figures):
    rows = []
    plain = figures.get("start.plain.us")
    for way in (*WAYS, "coppice_no_premap"):
        us = figures.get(f"start.{way}.us")
        if us is not None:
            rows.append([WAYS.get(way, "Coppice, --no-premap"), f"{us * 1000:,.0f}", ratio(plain, us),
                         f"{figures[f'start.{way}.with_first_event_us'] * 1000:,.0f}",
                         figures.get(f"start.{way}.faults", "–")])
    return grid(["", "instructions", "less than plain", "with the first event", "faults"], rows)


def reset(figures):
    start_us = figures.get("start.c_program.coppice.us")
    rows = []
    for number in (10, 100, 1000, 10000):
        module, rival = (figures.get(f"reset.{part}dirty_{number}.us") for part in ("", "memfd."))
        if module:
            rows.append([number, f"{module * 1000:,.0f}", f"{module * 1000 / number:,.0f}",
                         f"{rival * 1000:,.0f}", ratio(start_us, module)])
    return grid(["dirty pages", "instructions", "a page", "memfd", "less than a start"], rows)


def reshare(figures):
    rows = []
    for way in ("memfd", "coppice"):
        values = [figures.get(f"reshare.{way}.{name}") for name in
                  ("pages_diverged", "pages_equal", "pages_given_back", "share_of_equal_given_back", "instructions_per_page")]
        if values[0] is not None:
            rows.append([WAYS[way], *values])
    return grid(["", "private pages", "equal", "given back", "share", "instructions a page"], rows)


def size(figures):
    rows = []
    for what in ("images", "tasks"):
        for number in (1, 10, 100, 1000):
            us = figures.get(f"size.{what}_{number}.start_us")
            if us is not None:
                rows.append([f"{number} {what}", f"{us * 1000:,.0f}", f"{figures[f'size.{what}_{number}.reset_us'] * 1000:,.0f}"])
    return grid(["present", "start", "reset of 100 pages"], rows)


def functions(figures):
    rows = [[WAYS[way], figures.get(f"functions.{key}_pages", "–"), figures.get(f"functions.{key}_to_one_image", "–")]
            for way, key in (("memfd", "memfd"), ("coppice", "store"))]
    return grid(["20 functions", "pages", "to one image"], rows)


def soak(figures):
    names = "private_bytes_after_10", "private_bytes_after_1000", "bytes_grown_after_1000"
    rows = [[WAYS[way], *(kib(figures.get(f"soak.{way}.{name}")) for name in names)] for way in ("memfd", "coppice")]
    return grid(["KiB of its own", "after 10 events", "after 1,000", "grown by"], rows)


def python_reset(figures):
    anew, start_us = figures.get("anew.coppice.us"), figures.get("start.coppice.us")
    rows = []
    for name, title in (("anew", "in a new task"), ("reset", "with a reset"), ("keep", "as it is")):
        us = figures.get(f"{name}.coppice.us")
        if us is not None:
            rows.append([title, f"{us * 1000:,.0f}", ratio(anew, us), ratio(start_us, us)])
    return grid(["next event", "instructions", "less than in a new task", "less than a start alone"], rows)


def runtimes(figures):
    rows = []
    for program in ("perl", "lua", "bc", "sqlite3"):
        plain = figures.get(f"runtime.{program}.plain.us")
        for way in ("plain", "memfd", "coppice"):
            us = figures.get(f"runtime.{program}.{way}.us")
            if us is not None:
                rows.append([program, WAYS[way], f"{us * 1000:,.0f}", ratio(plain, us),
                             figures[f"runtime.{program}.{way}.faults"]])
    return grid(["program", "", "instructions a run", "less than plain", "faults"], rows)


SERVED = {
    "warm": "serve, a task that waits", "reset": "serve, one that was reset", "spare": "serve, the group's spare task",
    "first": "serve, a function's first request", "cold": "serve, a new task (no spares)", "prefork": "pre-forked workers, Python", "process": "a process per request",
    "container": "a container per request (crun)",
}


def serve(figures, unit="instructions"):
    rows = []
    warm = figures.get("serve.warm.us")
    for way, title in SERVED.items():
        us = figures.get(f"serve.{way}.us")
        if us is not None:
            rows.append([title, f"{us * (1000 if unit == 'instructions' else 1):,.0f}", f"{us / warm:.2f}"])
    return grid(["request to answer", unit, "to a warm one"], rows)


TABLES = {"memory": memory, "private": private, "start": start, "reset": reset, "reshare": reshare, "size": size,
          "functions": functions, "soak": soak, "python_reset": python_reset, "runtimes": runtimes, "serve": serve}
