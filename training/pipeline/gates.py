"""What ends a run although every stage did its work: a report that is as bad as the recipe allows.

Asked whenever a result is there, also one that was made before, so that no run passes a gate by
being run twice.
"""

from __future__ import annotations

from pathlib import Path

from hub_model.errors import NeuroguardError
from training.recipe import Recipe


class AuditFailed(NeuroguardError):
    """The audit found what the recipe does not go on with."""

    exit_code = 3


def check(recipe: Recipe, stage: str, folder: Path) -> None:
    """Raise where the report of a stage forbids to go on.

    Args:
        recipe: says what is too bad.
        stage: name.
        folder: of its result.

    Raises:
        AuditFailed: a finding of the audit is as severe as `audit.fail_on`.
        ChecksFailed: a fault of the files or images is as severe as `checks.fail_on`.
    """
    if stage == "audit" and recipe.audit.fail_on != "never":
        from training.audit.model import Report

        found = Report.model_validate_json((folder / "audit.json").read_bytes())
        if found.reaches(recipe.audit.fail_on):
            worst = [one.found for one in found.findings if one.severity is found.worst]
            raise AuditFailed(
                f"the audit found {len(worst)} times severity {found.worst}, audit.fail_on is "
                f"{recipe.audit.fail_on}: {worst[0]} The whole report is in the run's folder, "
                "audit/audit.html"
            )
    if stage == "features" and recipe.checks.fail_on != "never":
        from training.checks import ChecksFailed, failing
        from training.features.checks import CHECKS, Checks

        told = Checks.model_validate_json((folder / CHECKS).read_bytes())
        if faults := failing(told.findings, recipe.checks.fail_on):
            raise ChecksFailed(
                f"{' '.join(one.found for one in faults)} checks.fail_on is "
                f"{recipe.checks.fail_on!r}: features/{CHECKS} in the run's folder says what to do"
            )
    if stage == "validate" and recipe.checks.fail_on != "never":
        from training import checks

        report = checks.Validation.model_validate_json((folder / checks.VALIDATION).read_bytes())
        checks.refuse(report, recipe.checks.fail_on)
