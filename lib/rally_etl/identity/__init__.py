"""Who is who: which live row a printed name or id stands for, who decided that, and what everything was called before."""
