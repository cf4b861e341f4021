"""Several scenes of one place: area by date with intervals, and how often each pixel was the target.

`scene_dates` opens the scenes in the order of their dates. `dated_masks` brings them onto one grid and extracts each.
`series_areas` measures the masks together, rows after rows. `series_result` carries what came of it.
"""
