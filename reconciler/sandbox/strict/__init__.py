"""A strict AWS: WSGI layers in front of moto that refuse what AWS refuses and answer as AWS answers."""
