"""How people and programs are told of a cycle, all from one `CycleReport`."""
