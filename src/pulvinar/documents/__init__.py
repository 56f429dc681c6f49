"""What people write onto brains together: documents of marks, as logs with undo, and the views that they save."""

from pulvinar.documents.documents import create_document, delete_document, get_document, list_documents
from pulvinar.documents.log import append, read_marks, read_operations, redo, undo

__all__ = [
    "append",
    "create_document",
    "delete_document",
    "get_document",
    "list_documents",
    "read_marks",
    "read_operations",
    "redo",
    "undo",
]
