"""What contracts read and k verifiers sign: kept, shown, gathered, and brought to the chain where no server does."""
