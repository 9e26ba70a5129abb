"""What every HTTP application of ours needs: problem documents, observation, limits, streams, a page of reference."""
