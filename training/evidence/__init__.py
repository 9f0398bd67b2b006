"""What an answer rests on: the lesion or where the image came from, measured and taught."""
