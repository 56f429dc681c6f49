"""What is planned and run: slots, engines, the ledger of done blocks, and the queue of jobs."""
