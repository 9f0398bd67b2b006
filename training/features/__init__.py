"""What each DICOM file of a labelled folder says of itself, and what is wrong with the folder."""
