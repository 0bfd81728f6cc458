"""Every small world there is: policies and tables, without sampling."""
