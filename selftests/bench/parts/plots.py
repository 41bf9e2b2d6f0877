"""Plots of bench.json as SVG, by gnuplot."""

import subprocess

from .tables import COLUMNS, WAYS, numbers

HEAD = """set terminal svg size 800,440 dynamic background "white" font "sans,12"
set key outside right top
set grid ytics
"""


def gnuplot(script, path):
    subprocess.run(["gnuplot"], input=f'{HEAD}set output "{path}"\n{script}', text=True, check=True)


def block(name, rows):
    """Data within the script; gnuplot's own notation for what is missing."""
    lines = "\n".join(" ".join("?" if cell is None else f'"{cell}"' if isinstance(cell, str) else str(cell)
                               for cell in row) for row in rows)
    return f"${name} << END\n{lines}\nEND\nset datafile missing '?'\n"


def memory(figures, path):
    """Memory a task at the largest number, step by step."""
    number = max(numbers(figures), default=None)
    if number is None:
        return
    ways = [way for way in WAYS if f"memory.{way}.{number}.bytes_per_task_at_start" in figures]
    rows = []
    for column, title in COLUMNS.items():
        values = [figures.get(f"memory.{way}.{number}.bytes_per_task_{column}") for way in ways]
        rows.append([title, *(None if value is None else value / 2**20 for value in values)])
    plots = ", ".join(f"$data using {index + 2}:xtic(1) title \"{WAYS[way]}\"" for index, way in enumerate(ways))
    gnuplot(block("data", rows) + f'set title "MiB a task, of {number}"\nset logscale y 2\n'
            "set style data histograms\nset style fill solid 0.8\n" + f"plot {plots}\n", path)


def reset(figures, path):
    """Reset by dirty pages, both axes logarithmic."""
    rows = [[number, *(figures.get(f"reset.{part}dirty_{number}.us") for part in ("", "memfd."))]
            for number in (10, 100, 1000, 10000)]
    if rows[0][1] is None:
        return
    gnuplot(block("data", rows) + 'set title "Reset: thousands of instructions"\nset logscale xy\nset xlabel "dirty pages"\n'
            'plot $data using 1:2 with linespoints title "Coppice", '
            '$data using 1:3 with linespoints title "memfd, no module"\n', path)


def start(figures, path):
    ways = [way for way in WAYS if f"start.{way}.us" in figures]
    rows = [[WAYS[way], figures[f"start.{way}.us"] / 1000] for way in ways]
    if rows:
        gnuplot(block("data", rows) + 'set title "Start to the first line: millions of instructions"\nset logscale y\n'
                "set style data histograms\nset style fill solid 0.8\nunset key\n"
                "plot $data using 2:xtic(1)\n", path)


def draw(figures, directory):
    for name, plot in (("memory", memory), ("reset", reset), ("start", start)):
        plot(figures, directory / f"{name}.svg")
