"""Many runs become series over time, and changes of their levels."""
