"""What people see: one blueprint a page, ten lines a view."""
