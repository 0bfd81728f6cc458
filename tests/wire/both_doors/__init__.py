"""Questions of one meaning through both doors, and what each door says: the data of test_both_doors.py."""
