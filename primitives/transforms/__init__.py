"""Transforms: functions of one side's tensor, applied to student and teacher alike."""
