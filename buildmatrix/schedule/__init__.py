"""Which works are made when: events in, decisions out. No clock, no thread, no disk in here."""
