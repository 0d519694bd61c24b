"""What the four applications share; knows no application and no command line."""
