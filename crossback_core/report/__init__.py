"""What people see of results: the table, the page, its figures."""
