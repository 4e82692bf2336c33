"""A good import is damaged in many ways, one at a time: what notices it?"""
