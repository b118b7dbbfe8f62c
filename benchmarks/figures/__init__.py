"""The paper's figures, from trainings to drawings."""
