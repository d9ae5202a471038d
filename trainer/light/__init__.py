"""The light node: it acts on what lies under the heads of k verifiers, and hands its messages to server and mirrors."""
