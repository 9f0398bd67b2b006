"""Who says it and what: the same in everything that is written for an archive."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import Any

from hub_model.contract import RESEARCH_ONLY

NAME = "neuroguard"
SERIES_DESCRIPTION = f"{NAME}: {RESEARCH_ONLY}"  # 64 characters at most (PS3.5 6.2, LO)


@dataclass(frozen=True, slots=True)
class Author:
    """The revision that an object is attributed to.

    Args:
        revision: 40 hex digits, or the content hash of a folder.
        finding: what the bundle calls its finding, e.g. "tumor".
    """

    revision: str
    finding: str

    @property
    def uid(self) -> str:
        """The same UID for the same revision, wherever it runs."""
        from pydicom.uid import generate_uid

        return str(generate_uid(entropy_srcs=[NAME, self.revision]))

    @property
    def equipment(self) -> dict[str, str]:
        """What every object says of the device that made it (PS3.3 C.7.5.1)."""
        return {
            "manufacturer": NAME,
            "manufacturer_model_name": NAME,
            "software_versions": self.revision,
            "device_serial_number": self.revision[:64],
        }


def finding_code(finding: str) -> Any:
    """The SNOMED code of a finding; one that has none of its own here is an abnormal structure."""
    from pydicom.sr.codedict import codes

    known = {"tumor": codes.SCT.Neoplasm, "lesion": codes.SCT.Lesion}
    return known.get(finding, codes.SCT.MorphologicallyAbnormalStructure)


def silence_highdicom() -> None:
    """Keep highdicom from printing or logging a patient's values, which its warnings quote.

    Called before every use, as `reading.decoders.silence_pydicom` and for the same reasons.
    """
    logging.getLogger("highdicom").setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"highdicom(\.|$)")
