"""Git: projects pulled from a repository, promotions written back to one."""
