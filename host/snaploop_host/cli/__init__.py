"""The command line: parse, call one service, show. Every command that lists has --json."""
