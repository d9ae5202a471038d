"""Messages, signing, Merkle trees and payout rules: what every other package may rely on (no torch, no database)."""
