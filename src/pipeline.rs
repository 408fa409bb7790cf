//! The road from captures to judged flows: the only file that names all the rooms.
