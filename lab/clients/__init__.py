"""One small typed client a service. All of them refuse to talk unless the lab's network is on this host."""
