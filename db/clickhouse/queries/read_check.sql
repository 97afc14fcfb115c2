SELECT count() FROM checks WHERE id = {id:UUID}
