"""The identities of questions, as the jobs use them: ``backend.db.identity`` says what they are."""

from backend.db.identity import Prompt as Prompt
from backend.db.identity import job_identity as job_identity
from backend.db.identity import prediction_identity as prediction_identity
from backend.db.identity import region_id as region_id
