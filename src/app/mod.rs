//! The commands: arguments as typed, settings as meant, one file a command.
