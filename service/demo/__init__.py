"""A pretend EHR, for trying the service without one."""
