"""Letters that RQ sends: who wrote one goes along with the job."""
