"""Many students in one program against one by one."""
