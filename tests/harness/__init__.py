"""What tests, benchmarks and the demo share to run real programs: users and files (accounts), what
the kernel knows of processes (processes), servers (postgres), our programs and their configuration
(walden, toml), S3 stores (stores), and how a run ends (outcomes)."""
