"""What users see: one module per page of the application, with its query and what a right answer is."""
