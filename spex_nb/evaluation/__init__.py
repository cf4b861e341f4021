"""A model beside baselines, on a labelled dataset."""
