"""From a config to the parts of a run; no other room of the library sees one."""
