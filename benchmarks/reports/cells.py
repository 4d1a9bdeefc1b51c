"""What cells of the page of measurements say: times, reasons, warnings."""

UNMEASURED = "unmeasured"
SIDES = {"pytorch": "eager", "pytorch_compiled": "torch.compile"}
NETS = {"fcn8s": "FCN-8s", "deconvnet": "DeconvNet"}


def reason(measured, name):
    """Why there is no figure of a measurement, after the word; "": there is one."""
    report = measured.get(name, {"unmeasured": "not run"})
    why = report.get("unmeasured")
    return f"{UNMEASURED}: {why}" if isinstance(why, str) else ""


def without_ours(report):
    """Why our side alone is not there, after the word; "": it is."""
    why = (report.get("unmeasured") or {}).get("ours")
    return f"{UNMEASURED}: {why}" if why else ""


def side(name):
    return SIDES.get(name, name.removeprefix("pytorch_"))


def seconds(value):
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def verdict(met):
    return "met" if met else "**missed**"


def load(*reports):
    """A warning where other processes were at work."""
    loads = [r["load_average"] for r in reports if "load_average" in r]
    if not loads or max(loads) <= 1.5 * reports[0]["cores"]:
        return ""
    return (
        f"**Other work was on the machine (load average up to {max(loads)}): take the "
        f"ratios with care, and the times not at all.**"
    )
