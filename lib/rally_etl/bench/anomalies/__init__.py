"""How well what is unusual is found: labelled seasons of metrics, methods, and what each of them finds."""
