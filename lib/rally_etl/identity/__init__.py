"""Who is who: what a printed name or id stands for, who decided that, and what it was called before."""
