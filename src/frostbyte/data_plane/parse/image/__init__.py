"""Pictures of text: frames of PNG and TIFF, and the OCR that every format uses."""
