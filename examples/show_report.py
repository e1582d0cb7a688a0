"""Prints a report.json as tables: collectives with bytes and reasons, totals.

  python examples/show_report.py report.json
"""
import json
import sys


def table(rows, header):
    widths = [max(len(str(r[i])) for r in [header] + rows) for i in range(len(header))]
    for row in [header, ["-" * w for w in widths]] + rows:
        cells = [str(c).rjust(w) if isinstance(c, (int, float)) else str(c).ljust(w) for c, w in zip(row, widths)]
        print("  ".join(cells).rstrip())


def main():
    report = json.load(open(sys.argv[1]))
    mesh = report["mesh"]
    print("mesh:", " x ".join(f"{name}={size}" for name, size in mesh["axes"]), f"= {mesh['devices']} devices")
    merged = {}
    for c in report["collectives"]:
        key = (c["kind"], " ".join(c["axes"]), c["group_size"], c["reason"])
        entry = merged.setdefault(key, [0, 0])
        entry[0] += c["count"]
        entry[1] += c["bytes_sent_per_device"]
    rows = [[kind, axes, group, count, f"{sent:,.0f}", reason]
            for (kind, axes, group, reason), (count, sent) in sorted(merged.items(), key=lambda e: -e[1][1])]
    table(rows, ["collective", "axes", "group", "count", "bytes sent per device", "why"])
    totals = report["totals"]
    print(f"\nsent per device and step: {totals['bytes_sent_per_device']:,.0f} bytes in {totals['collective_count']} collectives")
    if "measured" in report:
        measured = report["measured"]
        step = measured.get("step_s") or {}
        if step:
            print(f"measured: {measured['steps']} steps, median {step['median'] * 1e3:.2f} ms, "
                  f"{measured['bytes_sent_per_device']:,.0f} bytes really sent")
    print(f"peak memory per device: {report['peak_bytes_per_device']:,} bytes; flops per device: {report['flops_per_device']:,}")
    print("compiled in", ", ".join(f"{phase} {s:.3f} s" for phase, s in report["compile_s"].items()))


if __name__ == "__main__":
    main()
