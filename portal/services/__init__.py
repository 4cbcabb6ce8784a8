"""What we do: the place where database, clients and rules meet, one verb each."""
