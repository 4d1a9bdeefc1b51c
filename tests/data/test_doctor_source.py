"""What an examination finds in a data set that is opened by name, by head."""

import numpy as np

from fcn_jax.data import doctor, doctor_text
from fcn_jax.data.doctor_findings import Findings
from fcn_jax.data.doctor_source import Opened
from tests.support import made_up


class FlatRooms(made_up.Rooms):
    """Nothing stands upright."""

    def __getitem__(self, index):
        item = super().__getitem__(index)
        geometric = item["labels"]["geometric"]
        item["labels"]["geometric"] = np.minimum(geometric, 1)
        return item


def examine(train, scored):
    found = Findings()
    patient = Opened({"train": train, "val": scored}, ("train", "val"), 0, found)
    return doctor.examine(patient, found)


def test_the_classes_of_every_head_are_counted():
    rooms = made_up.Rooms("train", 3)
    report = examine(rooms, made_up.Rooms("val", 1))
    (other,) = report.others
    assert (report.head, other.head) == ("semantic", "geometric")
    assert other.classes == ("void", "flat", "upright")
    upright = np.mean(
        [rooms[n]["labels"]["geometric"][:, :-2] == 2 for n in range(len(rooms))]
    )
    np.testing.assert_allclose(other.shares, [0, 1 - upright, upright])
    assert other.occurs["val"].tolist() == [0, 1, 1]
    assert "classes" not in [each.check for each in report.findings]  # Void is none.
    found = doctor_text.as_json(report)
    assert [x["name"] for x in found["heads"]["geometric"]] == list(other.classes)
    assert found["heads"]["semantic"] == found["classes"]


def test_what_a_head_lacks_is_told_of_that_head():
    report = examine(FlatRooms("train", 3), made_up.Rooms("val", 1))
    (finding,) = [each for each in report.findings if each.check == "classes"]
    assert finding.message.startswith("classes of the head geometric that val has and")
    assert finding.files == ["upright"]
