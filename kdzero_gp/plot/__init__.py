"""The paper's figures for any pair."""
