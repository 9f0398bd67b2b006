"""Masks as files: pictures, NIfTI, DICOM segmentations and structured reports."""
